"""What runs inside or right beside vLLM: its arguments, its start, the adapter resolver. The only package that imports vLLM."""
