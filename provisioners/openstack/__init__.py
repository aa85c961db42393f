"""The driver of OpenStack regions.

`driver` is the port; `session` the one door to the cloud, `errors` the one table of what its
answers mean, `marks` how a resource says whose it is, `parts` what an object consists of (pure),
and `identity`, `network`, `storage` and `compute` one service each.
"""
