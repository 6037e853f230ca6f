"""The page in the browsers that people have: Chromium, Firefox and WebKitGTK (Safari)."""
