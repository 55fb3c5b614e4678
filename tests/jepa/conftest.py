from pathlib import Path

import pytest

from tests.jepa.tiny import make_images


@pytest.fixture(scope="session")
def shapes_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images") / "shapes")
