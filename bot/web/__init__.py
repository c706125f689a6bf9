"""The web chat: one page, one WebSocket per tab, everything on the operator's own machine.

frontend.py      binds the address, routes, life cycle
guard.py         who may come in: Host, Origin, access token, security headers
addresses.py     from where a visitor comes, for what is rationed by network address
pages.py         the page, the sign-in page and the static files
uploads.py       pictures and files held in memory for a while
sessions.py      a visitor's session: tabs, history, limits
protocol.py      messages from the page, and the `hello` that describes everything to it
conversation.py  what a message does
presenter.py     from a `Reply` to what the page draws
static/          the page itself: plain JavaScript modules, no build step
"""
