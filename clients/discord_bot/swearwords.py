"""The words that the filter leaves out at its strictest, packed so that nobody has to read them who only reads this repository.

Swearing and what is sexual, in a few languages, as people write it; `adapters.slurs` has what demeans groups of people and packs it.
"""

from adapters.slurs import unpacked

_SWEARWORDS = (
    "eNpdVMuS4zYMvPMr5tdgCRZpUaSKIMc1viWpVC5ble/Ibad2dnaTHHJwPkD+ozRA2bOVg7sbFB9gEzAlio5SE0dFBh/z4Hd1fR88Fw3Y58gPgZkinqqRfehs4+ewsjuQ"
    "VCrjncUdOEZOGAgV2xtiunFIUxcv7hDz+ZQPd8aEHJHPrMLCNnAl0DzTjFNajOJDdQMdyvVLAheKPoMvF6BvJzfEUHMJAtGkcjm2YXZD3kE6Ygz3/JAfw5rckFPSy+ws"
    "XYgwxPUV5xSmZQ0I26K/xRa1BZ4gtZY6iBuZ1+pLhnFjQAIKnml8CDGlGMfcUYPV7ji2BW7KneEen2hokSo/VMjJcYLEbYyvfzguPNiHo56pwF1jzjFMBIBlTyM9rQ3e"
    "HvNooF9zvXBHrFDfFHjsVHYS4yMNbCKknSbj/tVqQcUZF5koTQf83MSaBgZCDCsemsR5SqMWgOdUKTgfTsiMe2Y+l/SiiLurIb4VNkgdJfu7ur77xA6mzOrYKVwu7mRX"
    "mls5k1tQla0c1LmH1IQ/Ati1cIETipgVehDSaD4sQWTiQyvVLVr3d8IJS66+V9n/Avkh0sNSqzg/l4lk2UncSjzm1Qf01PqDSiOfsjLqeNVccgz//gYpYoA3UdJtV7hk"
    "kDtOhVZ0FnQhtxatAUMsbFjBnTFBLVbAAyrpOPJTMJkVKiVy2JANRkU9UwkelLDo2wnFjBmdxOGPhDXPnVlFRL9A6CsqdGmtcBdiakefzybskUy8OJkpzU5iqwZiqOML"
    "laqvLrXkdKGds6v0NDVGa7iqG1fdDunVjJyKq2d0pYK4ZzoeSZsnQ04BN37Gq1mlQqBhznqyAtZ1EmPN7oz65I4YDIPXzbfX7e/b79vb7ZPbviL4fPtZ5T/b9+3b9rZ9"
    "drefbr9sf6n4FeLP/wDCTyKj"
)


def swearwords() -> tuple[str, ...]:
    """In small letters, in the forms that are written."""
    return unpacked(_SWEARWORDS)
