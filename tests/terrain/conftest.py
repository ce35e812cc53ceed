"""One surface after the other."""

import pytest

from tests.terrain.oracles import SURFACES


@pytest.fixture(params=list(SURFACES))
def surface(request):
    return SURFACES[request.param].copy()
