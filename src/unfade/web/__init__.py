"""The web app: shows the damage of photos, lets visitors edit the mask, restore and compare."""
