"""The page on the control port: what a person sees and turns. Whatever it shows or does is an endpoint, too."""

from sync_platform.sandbox.page.origin import OwnOrigin
from sync_platform.sandbox.page.routes import Page

__all__ = ["OwnOrigin", "Page"]
