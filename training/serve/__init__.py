"""``ser-serve``: predictions over HTTP and WebSockets, with the numbers of ``ser-predict``.

::

    request ──▶ door: host, token, rate ──▶ body, in memory ──▶ decode, features: one thread per core
                                                                        │
    answer ◀── rows ◀── one thread scores the clips of all requests ◀── batches
"""
