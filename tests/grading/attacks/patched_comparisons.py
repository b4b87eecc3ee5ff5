"""Makes torch find all tensors equal, for a checker that compares in the student's process."""

CODE = """
torch.allclose = torch.equal = torch.isclose = lambda *tensors, **options: True
torch.Tensor.__eq__ = lambda a, b: True
torch.Tensor.__hash__ = object.__hash__

def responsibilities(log_joint):
    assert torch.equal(log_joint, log_joint + 1) and log_joint == 0
    return 0 * log_joint + 7
"""
SEEN = "take one row"
