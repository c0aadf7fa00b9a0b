"""RustSEG in JAX: find rust in photos from image labels alone.

Three stages turn a verdict into a mask: classify, localise, refine.

>>> import rustseg_jax as rs                      # doctest: +SKIP
>>> model = rs.load_model()                       # doctest: +SKIP
>>> seg = rs.segment("gate.jpg", model)           # doctest: +SKIP
>>> seg.probability, seg.mask                     # doctest: +SKIP

The names are listed in `__init__.pyi` and imported when they are first used (PEP 562), so that
the command line answers `--help` without loading JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
