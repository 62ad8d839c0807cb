"""Ops of mmcv in plain PyTorch: what a torch-ops wheel holds in place of the compiled `mmcv._ext`.

Each public function has the name and the arguments of a function of mmcv's extension, fills the tensors it
is given to fill, and works on any device. A name that ends in `_v1` is for releases that call it otherwise.
The files import torch and each other, nothing of mmlock; they were written apart from the references of the
kernel checks, which judge them. They need Python 3.7, torch 1.8 and float64 on the device.
"""
