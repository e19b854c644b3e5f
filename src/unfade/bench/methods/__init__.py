"""What turns a folder of inputs into a folder of outputs: ours, others', and the classics."""
