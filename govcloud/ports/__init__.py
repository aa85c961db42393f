"""The ports: what the parts of the program ask of each other, and the values that cross.

The words MUST, SHOULD and MAY are meant as in RFC 2119. Adapters implement these Protocols and
meet nowhere but in `govcloud.bootstrap`.
"""
