"""The migrations of the database; installed as `pubcellar.migrations`.

`alembic revision --autogenerate -m "…"`, `alembic upgrade head` and `alembic check` work from the
project's root; `env.py` says on which database. Revisions are numbered, go both ways, and import
nothing of the package, whose models go on changing.
"""
