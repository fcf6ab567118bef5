import {defineConfig} from "vitest/config"

// Warnings and stray output are somebody's defect, as in pytest.
export default defineConfig({
  cacheDir: "node_modules/.vitest",
  test: {
    include: ["tests/js/*.test.js"],
    environment: "node",
    pool: "threads",
    maxWorkers: 1, // a second process beside it costs more than the tests take
    restoreMocks: true,
    onConsoleLog: (text) => {
      throw new Error(`a script or a test wrote to the console: ${text}`)
    },
  },
})
