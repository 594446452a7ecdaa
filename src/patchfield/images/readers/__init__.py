"""Every kind of image file as planes with axes: `formats` is the way in, the others know one kind or one step each."""
