"""The demo's base is trained from scratch here. Adapters are trained by the factory's own recipe, as all others are."""
