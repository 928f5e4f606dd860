"""Look up the transform of every free variable, and what is known to lie inside its support."""

from dataclasses import replace

from exmc_dask.dist import default_transform, is_checked
from exmc_dask.rewrite.draft import Draft, Free


def constrain(draft: Draft) -> Draft:
    """Attach default transforms; mark values that need no comparison with the support.

    A free variable is inside if its transform is the default one. An observed one is if its values
    were compared when they were given, which is so unless bounds depend on parameters.
    """
    return replace(
        draft,
        free=tuple(map(_constrained, draft.free)),
        terms=tuple(replace(t, inside=is_checked(t.dist)) for t in draft.terms),
    )


def _constrained(free: Free) -> Free:
    default = default_transform(free.dist)
    chosen = default if free.transform == "default" else free.transform
    return replace(free, transform=chosen, inside=chosen == default)
