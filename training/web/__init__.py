"""``ser-demo``: a page on this machine that tells what a recording sounds like.

::

    browser ──▶ gate: only these requests, only so many bytes ─┬▶ uploads, in memory, gone when answered
                                                               └▶ Gradio: page, queue ──▶ answer ──▶ fragments
"""
