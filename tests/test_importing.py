"""Import names: the object of a name, and the name under which another process can import an object."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from hostler.asgi import load
from hostler.demo import apps
from hostler.errors import ConfigError
from hostler.importing import import_object, name_of


async def application(scope, receive, send):
    """An application at the top of a module."""


def made():
    async def nested(scope, receive, send):
        """An application that no module has."""

    return nested


@pytest.fixture
def main_module(monkeypatch):
    """Pretend that the program is another one."""

    def pretend(app, **attributes):
        module = ModuleType("__main__")
        module.app = app
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, "__main__", module)

    return pretend


def test_a_function_and_an_instance():
    assert name_of(application, "app") == f"{__name__}:application"
    assert name_of(apps.worker, "app") == "hostler.demo.apps:worker"
    assert load(name_of(apps.worker, "app")) is apps.worker


def test_an_application_of_the_program_itself(main_module):
    app = made()
    main_module(app, __file__="shop.py")
    assert name_of(app, "app") == "__mp_main__:app"


def test_an_application_of_a_module_run_with_m(main_module):
    app = made()
    main_module(app, __spec__=SimpleNamespace(name="package.shop"))
    assert name_of(app, "app") == "__mp_main__:app"


def test_an_application_of_a_package_run_with_m(main_module):
    app = made()
    main_module(app, __spec__=SimpleNamespace(name="package.__main__"))
    assert name_of(app, "app") == "package.__main__:app"


def test_a_program_that_cannot_be_imported_again(main_module):
    app = made()
    main_module(app)
    with pytest.raises(ConfigError):
        name_of(app, "app")


def test_an_application_that_no_module_has():
    with pytest.raises(ConfigError) as caught:
        name_of(made(), "app")
    assert str(caught.value) == (
        "app: no module has this function under a name, so worker processes cannot import it; assign it at the top "
        'of a module, or pass "module:name" instead of the object'
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hello", "does not name a thing, write it as module:attribute, such as shop.main:app"),
        (":app", "does not name a thing, write it as module:attribute, such as shop.main:app"),
        (".hello:app", "does not name a thing, write it as module:attribute, such as shop.main:app"),
        ("hello.py", "names a file where a module is expected, write hello:app"),
        ("hello.py:", "names a file where a module is expected, write hello:app"),
        ("hello.py:site", "names a file where a module is expected, write hello:site"),
        ("./hello.py:site", "names a file where a module is expected, write hello:site"),
        ("shop/main.py:app", "names a file where a module is expected, write shop.main:app"),
        (
            "/srv/shop/main.py:app",
            "names a file where a module is expected, write main:app, and put /srv/shop/ on PYTHONPATH",
        ),
        (
            "../main.py:app",
            "names a file where a module is expected, write main:app, and put ../ on PYTHONPATH",
        ),
        (
            r"C:\shop\main.py:app",
            r"names a file where a module is expected, write main:app, and put C:\shop\ on PYTHONPATH",
        ),
    ],
)
def test_what_is_no_import_name_says_how_one_looks(name, said):
    with pytest.raises(ConfigError) as caught:
        import_object(name, "a thing")
    assert str(caught.value) == f"{name}: {said}"
