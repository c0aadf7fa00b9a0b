"""Expert labels: stored, reviewed, compared, imported and exported.

>>> from rustseg_jax import labels                                     # doctest: +SKIP
>>> store = labels.Store("data/labels")                                # doctest: +SKIP
>>> photo = store.add_photo("gate.jpg", consent="given")               # doctest: +SKIP
>>> saved = store.save_correction(                                     # doctest: +SKIP
...     photo, nonce=str(uuid4()), who="Ada", verdict="corrosion", mask=mask
... )

Names are listed in `__init__.pyi` and imported on first use, as in `rustseg_jax`, so that nothing
here loads JAX before it is needed.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
