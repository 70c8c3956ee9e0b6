"""Digital actors: parametric heads that speak and feel, with exact landmarks, free of rights."""
