// A button that reads files in the browser and sends them to the server in pieces: {name, data (base64), last}.
export function render({model}) {
  const root = document.createElement("div"), button = document.createElement("button"), words = document.createElement("p")
  const input = document.createElement("input")
  Object.assign(input, {type: "file", multiple: true, hidden: true, accept: model.accept})
  button.type = "button"
  button.textContent = model.label
  words.setAttribute("role", "status")
  root.append(button, input, words)
  root.className = "wb-upload"
  const say = () => { words.textContent = model.words; words.className = model.wrong ? "wrong" : "" }
  button.addEventListener("click", () => input.click())
  input.addEventListener("change", async () => {
    const files = [...input.files], size = files.reduce((sum, file) => sum + file.size, 0)
    input.value = ""
    if (!files.length) return
    if (size > model.limit) {
      words.className = "wrong"
      words.textContent = `The files have ${Math.round(size / 2 ** 20)} MiB, this page takes ${model.limit >> 20}.`
      return
    }
    words.className = ""
    words.textContent = "Reading…"
    model.send_msg({begin: files.length})
    for (const file of files) {
      const piece = 3 * 2 ** 20
      for (let from = 0; from === 0 || from < file.size; from += piece) {
        const url = await new Promise((done) => {
          const reader = new FileReader()
          reader.onload = () => done(reader.result)
          reader.readAsDataURL(file.slice(from, from + piece))
        })
        model.send_msg({name: file.name, data: url.slice(url.indexOf(",") + 1), last: from + piece >= file.size})
      }
    }
  })
  model.on("words", say)
  model.on("wrong", say)
  say()
  return root
}
