"""A page that shows live what providers do: mount it in an application, or serve it beside one.

asgi, aiohttp        bridges to servers
dashboard            what is at which address, and for whom
actions, assets      what may be changed; the files of the page
watch                readings of the providers, for all viewers together
access, http, series who may do what, requests and answers, points of lines: values and rules
"""

from aiocache_kit.integrations.dashboard.dashboard import Dashboard

__all__ = ["Dashboard"]
