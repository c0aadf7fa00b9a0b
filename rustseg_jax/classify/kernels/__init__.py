"""3x3 convolutions, in the form that is fastest on this machine.

`convolution` selects the form, `batch_norm` is for training, `build` compiles the C++ code.
"""
