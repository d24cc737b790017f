"""Many runs: who asks for one, who starts it, and who brings it to its end."""
