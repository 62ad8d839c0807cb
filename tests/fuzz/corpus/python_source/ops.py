from mmcv.ops import nms
import mmcv.ops as o
try:
  from .a.b import c
except ImportError:
  pass
model = dict(type='DCN')
class K(o.Base):
  def f(self, a=nms): return getattr(o, 'nms')(a)
