"""The page of training: runs in processes of their own, watched live and looked back at."""
