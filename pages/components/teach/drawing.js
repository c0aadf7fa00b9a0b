// A drawing in the colours of the theme: the classes of its parts are coloured in drawing.css.

export default function (component) {
  const { data, parentElement } = component
  const place = parentElement.querySelector(".drawing")
  place.setAttribute("aria-label", data.alt)
  if (place.dataset.svg === data.svg) return
  place.dataset.svg = data.svg
  place.innerHTML = data.svg // made by the server from numbers and its own words only
}
