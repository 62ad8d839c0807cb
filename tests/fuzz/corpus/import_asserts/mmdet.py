mmcv_minimum_version = "2.0.0rc4"
mmcv_maximum_version = "2.2.0"
mmcv_version = digit_version(mmcv.__version__)
assert mmcv_version >= digit_version(mmcv_minimum_version) and mmcv_version < digit_version(
    mmcv_maximum_version
), "x"
