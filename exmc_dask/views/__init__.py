"""How a model shows itself: text, tables for notebooks, graphs; as declared and as sampled."""

from exmc_dask.views.display import Display, model_to_graphviz, model_to_mermaid
from exmc_dask.views.explain import explain

__all__ = ["Display", "explain", "model_to_graphviz", "model_to_mermaid"]
