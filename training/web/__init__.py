"""``ser-demo``: a web page on this machine that predicts the emotion of a recording.

::

    browser ──▶ gate: limits requests and their size ─┬▶ uploads, in memory until they are answered
                                                      └▶ Gradio: page, queue ──▶ answer ──▶ fragments
"""
