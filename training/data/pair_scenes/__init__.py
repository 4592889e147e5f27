"""Street, yard and indoor scenes as a thermal and a visible camera see them, registered, with exact boxes.

model, materials           triangle meshes with a material on every face; what materials are like in one scene
assets, bodies, vehicles   people and vehicles out of the mesh archives
coachbuilding, coachwork   cars that no archive has; what makes one differ from the next
two_wheelers               bicycles, scooters and motorcycles
animals, stand_ins         quadrupeds; simple people where there are no archives
canvas                     light and drawing into temperature, albedo, depth and object numbers
ground, things, rooms      what surrounds people outdoors and indoors
casting, scene             random scenes and their truth
sensors, displays          what thermal and visible cameras make of it
"""
