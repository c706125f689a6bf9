### The picture safety check, and the mark on pictures that a model made of faces.

safety-upload = I would rather not work on this picture: my safety check finds that it may not be fit for a chat where others look on. The check is wrong at times, about harmless pictures too; a plain portrait usually passes.
safety-output = The picture that came out may not be fit for a chat where others look on, so I am not showing it. That is the model’s doing, not yours. Try again with other settings or another photo.
safety-unavailable = I cannot check pictures at the moment, and without the check I neither take pictures of people nor show any that I made. Whoever runs me finds the reason in the log.

# --- drawn into a corner of the picture: short, and legible on a phone
mark-generated = AI-generated · Tadım
mark-edited = AI-edited · Tadım
mark-short = AI · Tadım

# --- tadim doctor
doctor-safety = Picture check
doctor-safety-on = on; refused from a score of { $threshold }
doctor-safety-off = off; pictures of faces are taken and shown unchecked
doctor-safety-next = Set safety.enabled to true where others look on.
