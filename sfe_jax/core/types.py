"""Names for the types that appear in signatures."""

from collections.abc import Mapping
from typing import Any

import jax

Array = jax.Array
"""A JAX array. The comment or docstring beside it gives the shape."""

Variables = Mapping[str, Any]
"""Variables of a Flax module: collection name -> nested dict of arrays."""
