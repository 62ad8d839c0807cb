from setuptools import setup
setup(name='x', install_requires=['a==1']+b, ext_modules=[CUDAExtension('m', glob('*.cu'))])
