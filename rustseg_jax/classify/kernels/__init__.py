"""3x3 convolutions in the form that is fastest on this machine.

`convolution` chooses the form, `batch_norm` normalises in training, `build` compiles the C++.
"""
