"""Jobs: tasks as values, results by content, run by one of several executors.

`model` holds the values and the two protocols; `local` runs tasks in processes of this machine, `queue` on
PostgreSQL by workers anywhere. A `Store` remembers jobs: `memory` for one process, `sql` for SQLite and
PostgreSQL. This room knows no solve and no build: a handler takes bytes and gives bytes.
"""
