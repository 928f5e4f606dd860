"""What kernels are compiled with, the sampler included: these files are copied beside them."""
