"""An address that no page has is answered in words, with the way to the pages."""

from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application

from workbench.ui.shell.missing import answer_missing
from workbench.ui.shell.registry import PAGES


class TestMissing(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        application = Application([])
        answer_missing(application)
        return application

    def test_it_leads_to_every_page(self) -> None:
        for method in ("GET", "POST"):
            answer = self.fetch("/no<b>such", method=method, body="" if method == "POST" else None)
            text = answer.body.decode()
            assert answer.code == 404
            assert "There is no page at this address" in text
            assert "<b>" not in text
            assert all(f'<a href="/{name}">{entry.title}</a>' in text for name, entry in PAGES.items())
