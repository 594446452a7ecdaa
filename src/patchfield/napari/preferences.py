"""napari's settings page: what is chosen there, and what acts on it."""

import os
from dataclasses import fields
from typing import Any

from napari.settings import get_plugin_settings

from patchfield.backbones import default_backbone, find_weight, is_here
from patchfield.backbones.local import FOLDER_VARIABLE, find_by_name
from patchfield.backbones.network import OFFLINE_VARIABLE
from patchfield.napari.layers import roles
from patchfield.napari.layers.roles import Role
from patchfield.napari.session.settings import AUTOMATIC, LAST_USED, Preferences, Settings
from patchfield.napari.workspace import Workspace

PLUGIN = "napari-patchfield"
CATEGORY = "window"
"""The manifest's name for our page."""
GIGABYTE = 10**9
_BEFORE: dict[str, str | None] = {}
"""What variables of the environment said before the page said something else: of this process, as they are."""


def first_backbone(settings: Settings) -> str:
    """What a session begins with: as preferred where that needs no download, for these start by a button only."""
    preferred = settings.preferences.backbone
    name = settings.memory.last_backbone if preferred == LAST_USED else preferred
    if name in ("", AUTOMATIC):
        return default_backbone()
    weight = find_weight(name)
    here = is_here(weight) if weight is not None else find_by_name(name) is not None
    return name if here else default_backbone()


class Page:
    """Takes over what napari's settings page says, now and whenever it changes.

    Parameters
    ----------
    settings : Settings
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Without an entry there is no page: the plugin is switched off, or was never installed but is imported.
        of_plugin = get_plugin_settings().get(PLUGIN)
        self._page: Any = None if of_plugin is None else getattr(of_plugin, CATEGORY)
        if self._page is not None:
            self._page.events.connect(self._take)
            self._take()

    def close(self) -> None:
        """Stop listening."""
        if self._page is not None:
            self._page.events.disconnect(self._take)

    def _take(self, event: object = None) -> None:
        said = {each.name: getattr(self._page, each.name) for each in fields(Preferences)}
        self._settings.prefer(Preferences(**said))


class Acting:
    """Lets preferences act: on this process, on the features and on the layers of a workspace.

    The folder of weights and being offline are said in the environment, for training in a process of its own to find
    them there, too; where the page says nothing, the environment is what it was.

    Parameters
    ----------
    workspace : Workspace
    settings : Settings
    """

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self._workspace = workspace
        self._settings = settings
        settings.preferred.connect(self._act)
        workspace.features.chosen.connect(self._remember_backbone)
        self._act(settings.preferences)

    def close(self) -> None:
        """Stop listening."""
        self._settings.preferred.disconnect(self._act)

    def _act(self, preferences: Preferences) -> None:
        _say(FOLDER_VARIABLE, preferences.weights_folder)
        _say(OFFLINE_VARIABLE, "1" if preferences.offline else "")
        features, results = self._workspace.features, self._workspace.results
        features.max_kept_bytes = int(preferences.memory * GIGABYTE)
        features.use_device(preferences.device)
        if preferences.opacity != results.opacity:
            results.opacity = preferences.opacity
            for layer in self._workspace.viewer.layers:
                if roles.role(layer) is Role.SEGMENTATION:
                    layer.opacity = preferences.opacity

    def _remember_backbone(self) -> None:
        self._settings.remember_backbone(self._workspace.features.recipes[0].backbone)


def _say(name: str, value: str) -> None:
    """Let a variable of the environment say something; "" gives it back what it said before."""
    if value:
        _BEFORE.setdefault(name, os.environ.get(name))
        os.environ[name] = value
    elif name in _BEFORE:
        before = _BEFORE.pop(name)
        os.environ.pop(name)
        os.environ.update({} if before is None else {name: before})
