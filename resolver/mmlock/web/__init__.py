"""The service: one API to ask, pages to look at, one index to install from.

`app` makes it of `settings` and a `Service`; `api`, `pages` and `index` are its doors. Every request goes
through `guard` first. What takes a while is a job of `mmlock.work`. The web process solves nothing itself.
"""
