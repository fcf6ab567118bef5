// The page says that its server is gone (shell.css).

export function run() {
  document.documentElement.dataset.connection = "lost"
}
