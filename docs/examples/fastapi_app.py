"""A shop in SQLite, served by FastAPI, with a cache between the two.

    uvicorn docs.examples.fastapi_app:app      then, for instance: curl localhost:8000/products/1

Rule 1: the cache is opened before the first request and closed after the last; `/ready` tells whether it can be used,
and `/internal/cache/` shows what it does.
Rule 2: a page differs by product and by the group of the customer, so both are in its key; the connection is not.
Rule 3: a product that is written is invalidated after that, by tag: its own pages and every list.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException
from pydantic import BaseModel

from aiocache_kit import Config, Provider
from aiocache_kit.integrations.dashboard import Dashboard
from aiocache_kit.integrations.fastapi import AppCache, readiness

cache = AppCache(Config(default_ttl="5m", max_entries=10_000))
app = FastAPI(title="Shop", lifespan=cache.lifespan)
app.add_api_route("/ready", readiness(cache))
app.mount("/internal/cache", Dashboard(cache.provider))


class Product(BaseModel):
    """What is sold, at a price in cents."""

    name: str
    price: int


def connect() -> Iterator[sqlite3.Connection]:
    """Open the database for one request."""
    with closing(sqlite3.connect(os.environ.get("SHOP", "shop.db"), check_same_thread=False)) as shop:
        shop.execute("CREATE TABLE IF NOT EXISTS products (number INTEGER PRIMARY KEY, name TEXT, price INTEGER)")
        yield shop


def group_of(customer: Annotated[str, Header()] = "") -> str:
    """Tell which prices the customer gets, and who may not come in."""
    if customer == "banned":
        raise HTTPException(403, "you know why")
    return "traders" if customer.endswith("Ltd") else "everybody"


Shop = Annotated[sqlite3.Connection, Depends(connect)]
Group = Annotated[str, Depends(group_of)]
Cache = Annotated[Provider, Depends(cache)]


@app.get("/products/{number}")
@cache.cached(tags=["product:{number}"], exclude=["shop"])
def read(number: int, group: Group, shop: Shop) -> Product:
    """Give a product, at the price of the customer's group; runs in a thread when it runs at all."""
    row = shop.execute("SELECT name, price FROM products WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404, "there is no such product")
    return Product(name=row[0], price=row[1] if group == "everybody" else row[1] * 9 // 10)


@app.get("/products")
@cache.cached("30s", tags=["lists"], exclude=["shop"])
def search(shop: Shop, word: str = "") -> list[str]:
    """Give the names of the products that contain a word, in order."""
    rows = shop.execute("SELECT name FROM products WHERE instr(name, ?) ORDER BY name", (word,))
    return [name for (name,) in rows]


def store(shop: sqlite3.Connection, number: int, product: Product) -> None:
    """Store a product, replacing the one with its number."""
    with shop:
        shop.execute("INSERT OR REPLACE INTO products VALUES (?, ?, ?)", (number, product.name, product.price))


@app.put("/products/{number}")
async def write(number: int, product: Product, shop: Shop, provider: Cache) -> Product:
    """Store a product: first where it belongs, and only then is what the cache knows of it no longer true."""
    await asyncio.to_thread(store, shop, number, product)
    await provider.invalidate_tags(f"product:{number}", "lists")
    return product


@app.get("/stats")
async def stats(provider: Cache) -> dict[str, object]:
    """Give the statistics of the cache."""
    return (await provider.stats()).as_dict()
