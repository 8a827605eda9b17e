"""``ser-demo --live``: a page that listens to the microphone and shows emotions while one speaks.

::

    browser: microphone ──▶ blocks of samples ──WebSocket──▶ listener ──▶ window stream ──▶ model
             timeline   ◀── rows, one per window ◀───────────┘
"""
