"""How good a segmentation or a backbone is.

``metrics`` holds what is computed from arrays alone, ``micrographs`` the protocols on labelled images of one's own,
``published`` those of the papers on natural images, ``report`` the comparison of backbones that ends in a verdict.
"""
