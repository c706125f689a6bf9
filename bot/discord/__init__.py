"""Discord: slash commands, menus on messages, buttons and forms; its limits live here, only here.

- `frontend.py`   connects and disconnects, fetches pictures, posts notices
- `client.py`     the library's client, set up with the fewest rights that do
- `commands.py`   the registry's commands as Discord wants them declared, in every language
- `desk.py`       what happens when somebody uses a command, a menu, a button or a form
- `visitors.py`   who that is, where, and what they may
- `forms.py`      the form that asks for what is missing, a picture first of all
- `delivery.py`   brings the states of an answer to the chat, and `deletion.py` takes it away
- `outlets.py`    where it is posted; `limits.py` how often; `threads.py` opens a place of its own
- `presenter.py`  from a rendered reply to pages that fit into messages
- `markup.py`     escaping, and cutting long texts where a sentence ends
- `pictures.py`   finding again the pictures that people sent; `shrinking.py` makes ours fit
"""
