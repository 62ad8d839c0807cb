_base_ = ["a.py", "../b.py", "mmdet::c.py"]
with read_base():
    from .a import *
model = dict(type="DCN", nms=dict(type="nms", _delete_=True))
x = {{_base_.y.z}}
model.update(dict(a=1), b=2)
