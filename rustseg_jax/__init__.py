"""RustSEG in JAX: find rust in photos with a network trained on image labels alone.

Three stages lead from the photo to the mask: classify, localise, refine.

>>> import rustseg_jax as rs                      # doctest: +SKIP
>>> model = rs.load_model()                       # doctest: +SKIP
>>> seg = rs.segment("gate.jpg", model)           # doctest: +SKIP
>>> seg.probability, seg.mask                     # doctest: +SKIP

The public names are listed in `__init__.pyi` and imported on first use (PEP 562), so that
the command line prints `--help` without loading JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
