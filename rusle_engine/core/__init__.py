"""What every room stands on: errors, quantities and units, the grid, memory, and the lift from kernels to labelled lazy arrays."""
