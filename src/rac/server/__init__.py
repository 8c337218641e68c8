"""``rac serve``: the HTTP service between the user and the search box.

``app.create_app`` puts it together: ``service`` does the work, ``batching`` brings concurrent queries into one
generation batch, ``routes`` and ``schemas`` are what clients see, ``guard`` and ``envelope`` keep it safe.
"""
