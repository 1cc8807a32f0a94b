"""The cache of responses: HTTP's rules as plain functions, and what applies them to an application and a `Provider`.

cache                            what applications and doors call
forwarding                       who asks the application, and what becomes of its response
exchange, shelf                  one call of the application; where responses are in the provider
storing, reuse, validation       the rules of RFC 9111, 9110 and 5861
turn, unshared                   one request at a time, and when not
asked, vary, keys                what is asked for, and which stored response that is
stored, directives, options      forms and settings
status, fields                   the ground
"""

from aiocache_kit.integrations.http.cache import ResponseCache
from aiocache_kit.integrations.http.options import ResponseCacheOptions

__all__ = ("ResponseCache", "ResponseCacheOptions")
